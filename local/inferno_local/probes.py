"""Questions that tell whether a server answers, for which no driver is needed."""

import asyncio

TIMEOUT_S = 2.0


async def listening(address: str) -> bool:
    """Whether somebody accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def get(address: str, path: str) -> tuple[int, bytes]:
    """Status and body of a GET at `host:port`; status 0 if nobody answers in time."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
                answer = await reader.read(1 << 20)
                while chunk := await reader.read(1 << 16):
                    answer += chunk
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), body


async def healthy(address: str, path: str = "/healthz") -> str | None:
    """None if a GET of `path` is answered with 200, else what is waited for."""
    status, _ = await get(address, path)
    return None if status == 200 else "starting" if status == 0 else f"{path} answers {status}"
