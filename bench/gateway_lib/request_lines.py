"""The requests that are sent, as lines of API key and body: many accounts, no prompt twice in a file."""
import hashlib
import json
import random

KEYS = 1000
PROMPT_SEED = 11
# Ordinary words, so that the fingerprint has words, sentences and a language to work on.
WORDS = ("the of and to in a is that for it as was with be by on not he his but at are this have from or had an "
         "they which one you were all her she there would their we him been has when who will no more if out so "
         "what up said time people water world country school state family student group problem hand part place "
         "case week company system program question work government number night point home room mother area money "
         "story fact month lot right study book eye job word business issue side kind head house service friend "
         "father power hour game line explain write translate summarise compare describe list improve correct "
         "answer function table price reason customer order delivery engine battery garden river letter train "
         "summer winter morning evening").split()


def key(number):
    return f"sk-bench-{hashlib.sha256(str(number).encode()).hexdigest()[:32]}"


def key_lines():
    for number in range(KEYS):
        digest = hashlib.sha256(key(number).encode()).hexdigest()
        yield json.dumps({"v": 1, "key_sha256": digest, "key": f"key_{number}", "account": f"acct_{number}",
                          "org": f"org_{number // 4}"})


def prompt(source, size):
    words, length = [], 0
    while length <= size:
        word = source.choice(WORDS)
        if source.random() < 0.08:
            word += "."
        words.append(word)
        length += len(word) + 1
    return " ".join(words)[:size]


def body(source, size, stream):
    shell = {"model": "gpt-bench", "stream": stream, "max_tokens": 256, "messages": []}
    if stream:
        shell["stream_options"] = {"include_usage": True}
    turns = 1 if size < 8192 else 20
    for turn in range(turns):
        shell["messages"].append({"role": "user" if turn % 2 == 0 else "assistant", "content": ""})
    if turns > 1:
        shell["messages"].append({"role": "user", "content": ""})
    each = (size - len(json.dumps(shell))) // len(shell["messages"])
    for message in shell["messages"]:
        message["content"] = prompt(source, each)
    return json.dumps(shell)


def write(path, size, count, stream=False):
    source = random.Random(PROMPT_SEED + size + stream)
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            file.write(f"{key(number % KEYS)} {body(source, size, stream)}\n")
    return path
