"""`docs/clients.md` is made of the tested programs; with UPDATE_GOLDEN=1 this test writes it."""

from __future__ import annotations

import os
import re

from tests.clients.catalogue import CLIENTS, ROOT, Client

PAGE = ROOT / "docs" / "clients.md"

HEAD = """# Clients

Point a client of the Gemini API at Vidi, and its code runs as it is. For the official SDKs two variables
are enough:

```sh
export GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8484 GEMINI_API_KEY=any
```

On a server without keys any key will do, but most clients want one. The lines below are taken from
programs that run against a real server: those marked * in `make test`, all of them in `make clients`, which
prints a table of client, version, flow and outcome. `VIDI` stands for the server's address, as
`http://127.0.0.1:8484`.

The flows: a caption of inline bytes, of a picture that was `fetched` or by `upload`; a `stream`; a
`structured` answer by schema; `boxes` as JSON without one; `several` pictures, uploaded and inline;
`tokens` counted and billed alike; `refused`, an error as the client's own; an `interaction` that another one
continues; `vertex`, a caption in that mode; `https`, a caption of a picture that the server
[fetches](compatibility.md#pictures-by-address) by its address; `called`, the structured answer as the
arguments of a function that must be called; `tools`, a function that is called, runs at the client's and is
answered for. The first asks for what the [cookbook](../tests/clients/test_cookbook.py)'s notebooks ask for,
too.
"""

TAIL = """
## The base URL

Google's own SDKs write the version (`/v1beta`) behind the base URL; the Vercel AI SDK, LiteLLM and others
expect it in there. Vidi reads past a version that stands there twice or not at all and past a slash at the
end, so prompts find their way with either base. Uploads go to `/upload/v1beta/files`: a proxy before Vidi has
to pass on that path too.

## From a container

In a container the machine around it has another name, and Vidi answers only under names that it knows.

- Docker Desktop leads `http://host.docker.internal:8484` to the machine's loopback address: start Vidi with
  `VIDI_ALLOWED_HOSTS=host.docker.internal`.
- On Linux that name, given with `--add-host=host.docker.internal:host-gateway`, leads to the bridge, as
  172.17.0.1: others can reach it, so Vidi needs keys. `VIDI_API_KEYS=... vidi serve --host 172.17.0.1`.

## Names of files

google-genai puts a file's name into a header, which takes ASCII alone. For other names open the file and pass
it with its type: `client.files.upload(file=open("Фото.png", "rb"), config={"mime_type": "image/png"})`.

## What is known not to work

- Google's own tools (search, code execution, pages, maps) are not served: a request that brings one is
  refused with a 400 that says so.
- `vidi-lite` calls a function only if it must (mode `ANY`); where it has the choice it answers in text, so
  agents need an open model: [function-calls.md](function-calls.md).
- `llm` has Google's address built in, see above.
- The retired Python package `google-generativeai` cannot speak plain http.
"""


def test_the_page_is_what_the_programs_say() -> None:
    page = HEAD + "".join(_section(client) for client in CLIENTS) + TAIL
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page, "run UPDATE_GOLDEN=1 pytest tests/clients/test_page.py"


def _section(client: Client) -> str:
    version = f" {client.version}" if client.version else ""
    mark = " *" if client.by_default else ""
    state = (
        f"Cannot be used today: {client.barred}." if client.barred else f"Flows: {', '.join(client.flows)}."
    )
    fence = {".py": "python", ".mjs": "javascript", ".go": "go", ".java": "java", ".sh": "bash"}[
        client.source.suffix
    ]
    note = f"\n{client.note.strip()}\n" if client.note else ""
    return (
        f"\n## {client.name}{version}{mark}\n\n```{fence}\n{_lines(client)}\n```\n\n"
        f"{state} [The whole program](../{client.source.relative_to(ROOT).as_posix()}).\n"
        f"{note}"
    )


def _lines(client: Client) -> str:
    """What stands between the marks, without its indentation."""
    found = re.search(r"docs: begin\n(.*?)\n[^\n]*docs: end", client.source.read_text(), re.DOTALL)
    assert found, f"{client.source} has no lines marked for the docs"
    lines = found[1].split("\n")
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)
