"""What of a user's message is the user's own word, when something was pasted into it that gives orders."""

from memcubed.language.orders import gives_orders, split_orders
from memcubed.language.sentences import sentences
from memcubed.production.local.own_words import own_sentences


def own_part(text: str) -> str:
    """The text itself, unless it holds orders: then without them, and without a text handed over to be worked on.

    A pasted page that gives no orders is left as it is: whether it is about the user can't be told.
    """
    if not gives_orders(text):
        return text
    said = sentences(text)
    own = own_sentences(said)
    return split_orders(" ".join(sentence for sentence in own if sentence) if "" in own else text)[1]
