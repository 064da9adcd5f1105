"""What a person needs once the stack is up: address, key, log-in, and a first request that works as printed."""

from rich.console import Console

from inferno_core.errors import Unavailable
from inferno_local.files import read_json
from inferno_local.home import Home
from inferno_local.report import Wanted
from inferno_local.vault import Credentials

_MODELS = {"vllm": "smollm2", "synthetic": "synthetic"}


def welcome(console: Console, home: Home, wanted: Wanted) -> None:
    """Print how to use the stack; the same is in `credentials.json`."""
    found = read_json(home.credentials, Credentials)
    if found is None:
        raise Unavailable(f"{home.credentials} is missing: `inferno down` and `inferno up` write it again.")
    lines = [
        "",
        f"  Address   {'  '.join(found.api_urls)}",
        f"  API key   {found.api_key}",
        f"  Operator  {found.admin_email}  {found.admin_password}",
        f"            (also in {home.credentials})",
        "",
        f"curl -N {found.url}/v1/chat/completions \\",
        f"  -H 'Authorization: Bearer {found.api_key}' -H 'Content-Type: application/json' \\",
        f'''  -d '{{"model":"{_MODELS[wanted.engine]}","stream":true,"temperature":0,'''
        """"messages":[{"role":"user","content":"What is the capital of France?"}]}'""",
    ]
    console.print("\n".join(lines), markup=False)
