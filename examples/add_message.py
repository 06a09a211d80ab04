"""Post a conversation; memcubed turns it into memories."""

import json
import os

import requests

BASE_URL = os.environ.get("MEMOS_BASE_URL", "http://127.0.0.1:8000/api/openmem/v1")

headers = {
    "Content-Type": "application/json",
    "Authorization": f"Token {os.environ['MEMOS_API_KEY']}",
}
data = {
    "user_id": "memos_user_123",
    "conversation_id": "0610",
    "messages": [
        {"role": "user", "content": "我暑假定好去广州旅游，住宿的话有哪些连锁酒店可选？"},
        {"role": "assistant", "content": "您可以考虑【七天、全季、希尔顿】等等"},
        {"role": "user", "content": "我选七天"},
        {"role": "assistant", "content": "好的，有其他问题再问我。"},
    ],
}

response = requests.post(f"{BASE_URL}/add/message", headers=headers, data=json.dumps(data), timeout=60)
print(json.dumps(response.json(), ensure_ascii=False, indent=2))
