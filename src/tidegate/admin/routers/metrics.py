"""/metrics: the engine's metrics and those of the configuration, for Prometheus."""

import asyncio

from fastapi import APIRouter, Response

from tidegate.admin.context import TheGateway
from tidegate.control.gateway import Gateway

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(gateway: TheGateway) -> Response:
    """All metrics in the Prometheus text format 0.0.4."""
    engine = await asyncio.to_thread(gateway.engine.metrics)
    return Response(engine + control_metrics(gateway), headers={"Content-Type": MEDIA_TYPE})


def control_metrics(gateway: Gateway) -> str:
    """What Python knows: the generation, and how changes ended."""
    generation = gateway.running.generation
    lines = [
        "# HELP tidegate_config_generation Number of the configuration generation that is served.",
        "# TYPE tidegate_config_generation gauge",
        f"tidegate_config_generation {generation.number}",
        "# HELP tidegate_config_last_change_timestamp_seconds When what is served was committed.",
        "# TYPE tidegate_config_last_change_timestamp_seconds gauge",
        f"tidegate_config_last_change_timestamp_seconds {generation.time.timestamp():.3f}",
        "# HELP tidegate_reloads_total Configuration changes by how they ended.",
        "# TYPE tidegate_reloads_total counter",
        *(
            f'tidegate_reloads_total{{result="{result}"}} {count}'
            for result, count in gateway.results.items()
        ),
    ]
    return "\n".join(lines) + "\n"
