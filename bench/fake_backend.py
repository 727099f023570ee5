"""A server that answers like vLLM at a fixed rate, whatever is asked: `python -m bench.fake_backend PORT`.

Every stream has its first token after FIRST_SECONDS and the others at RATE, however many there are, so that
what comes later was held up by what stands before. A prompt that holds AT_ONCE is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import sys

FIRST_SECONDS = 0.2
"""About what a graphics card takes to read a picture and a question."""

RATE = 50
"""Tokens a second of one stream."""

TOKENS = 100
AT_ONCE = "at once"

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_MODELS = {"data": [{"id": "tiny", "owned_by": "vllm", "root": "Qwen/Qwen3-VL-8B", "max_model_len": 32768}]}
_ANSWERS = {
    b"/v1/models": _MODELS,
    b"/health": {},
    b"/tokenize": {"count": 9, "max_model_len": 32768, "tokens": [1] * 9},
}


def _whole(value: object) -> bytes:
    body = json.dumps(value).encode()
    return _HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


def _chunk(delta: dict[str, str], tokens: int, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "tiny", "choices": [choice]}
    event = b"data: " + json.dumps({**told, "usage": usage}).encode() + b"\n\n"
    return b"%x\r\n" % len(event) + event + b"\r\n"


async def _stream(writer: asyncio.StreamWriter, *, at_once: bool) -> None:
    loop = asyncio.get_running_loop()
    writer.write(
        _HEAD + b"transfer-encoding: chunked\r\n\r\n" + _chunk({"role": "assistant", "content": ""}, 0)
    )
    due = loop.time() + FIRST_SECONDS
    for token in range(1, 2 if at_once else TOKENS + 1):
        if not at_once:
            await asyncio.sleep(due - loop.time())
            due += 1 / RATE
        writer.write(_chunk({"content": " word"}, token))
    done = b"data: [DONE]\n\n"
    end = b"%x\r\n" % len(done) + done + b"\r\n0\r\n\r\n"
    writer.write(_chunk({}, 1 if at_once else TOKENS, "stop") + end)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            path = head.split(b" ", 2)[1]
            lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
            body = await reader.readexactly(lengths[0]) if lengths else b""
            if path == b"/v1/chat/completions":
                await _stream(writer, at_once=AT_ONCE.encode() in body)
            else:
                writer.write(_whole(_ANSWERS.get(path, {})))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", port, limit=1 << 26, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
