"""Starting the editor: a port, an address to open, and a server until Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping

import uvicorn

from roigan.apps.editor.app import make_app
from roigan.errors import UserError
from roigan.systems.model import Model


def serve(models: Mapping[str, Model], host: str, port: int) -> None:
    """Serve the editor of some models, by name, until it is interrupted; prints the address to open.

    On another host than 127.0.0.1 whoever asks needs a token, which is part of that address. port 0 takes a
    free one. Raises UserError where the address cannot be had, and where no model fills regions.
    """
    if not any("complete" in model.verbs for model in models.values()):
        told = ", ".join(f"{name} is {model.system}" for name, model in models.items())
        raise UserError(f"a region needs a model that completes, and none does: {told}; see releases/")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        ) from None
    port = listening.getsockname()[1]
    token = None if host in ("127.0.0.1", "::1", "localhost") else secrets.token_urlsafe(24)
    shown = f"[{host}]" if ":" in host else host
    # behind a #, which browsers send to nobody
    print(f"open http://{shown}:{port}/{f'#token={token}' if token else ''} (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(
        make_app(models, port, token),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listening])
