"""The admin API on a socket."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from tests.unit.control.gateways import authentication, document, model_lifecycle, started_gateway
from tidegate.admin.server import AdminServer
from tidegate.control.gateway import Gateway
from tidegate.control.source import Source


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[int]:
    """Yields the port of the gateway's admin API."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = AdminServer(gateway, authentication(gateway), model_lifecycle(gateway))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop()
        await task


async def test_with_client_certificates_only_who_shows_one_is_let_in(tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = {
        name: str(tmp_path / f"{file}.pem")
        for name, file in (("cert", "cert"), ("key", "key"), ("client_ca", "ca"))
    }
    options = {"address": "0.0.0.0:9090", "tls": tls}
    gateway, _ = await started_gateway(source=Source(document=document(admin=options)))
    known = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    stranger = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    known.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with serving(gateway) as port:
        async with httpx.AsyncClient(verify=known, trust_env=False) as http:
            answer = await http.get(
                f"https://127.0.0.1:{port}/v1/status", headers={"Host": "gateway.example"}
            )
            assert answer.status_code == 200
        async with httpx.AsyncClient(verify=stranger, trust_env=False) as http:
            with pytest.raises(httpx.TransportError):
                await http.get(f"https://127.0.0.1:{port}/v1/status")


async def test_no_server_is_named() -> None:
    gateway, _ = await started_gateway()
    async with serving(gateway) as port, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/v1/health")
        assert "server" not in answer.headers
