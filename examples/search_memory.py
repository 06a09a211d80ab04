"""Ask, in another conversation, what is remembered that matters for a question."""

import json
import os

import requests

BASE_URL = os.environ.get("MEMOS_BASE_URL", "http://127.0.0.1:8000/api/openmem/v1")

headers = {
    "Content-Type": "application/json",
    "Authorization": f"Token {os.environ['MEMOS_API_KEY']}",
}
data = {
    "query": "我国庆想出去玩，帮我推荐个没去过的城市，以及没住过的酒店品牌",
    "user_id": "memos_user_123",
    "conversation_id": "0928",
    "memory_limit_number": 6,
    "include_preference": True,
    "preference_limit_number": 6,
}

response = requests.post(f"{BASE_URL}/search/memory", headers=headers, data=json.dumps(data), timeout=60)
print(json.dumps(response.json(), ensure_ascii=False, indent=2))
