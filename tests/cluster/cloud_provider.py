"""What Ray's autoscaler, on the head, starts and ends machines with: requests to a cloud's API."""

import json
import urllib.request
from typing import Any

from ray.autoscaler.batching_node_provider import BatchingNodeProvider, NodeData, ScaleRequest
from ray.autoscaler.tags import NODE_KIND_HEAD, NODE_KIND_WORKER, STATUS_UP_TO_DATE

_ANSWER_S = 20.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class CloudProvider(BatchingNodeProvider):
    """``provider.api`` is the cloud's address, ``provider.head`` the head's own."""

    def get_node_data(self) -> dict[str, NodeData]:
        """The head and every machine."""
        head = self.provider_config["head"]
        addresses = {name: (NODE_KIND_WORKER, ip) for name, ip in self._ask("/machines").items()}
        addresses["head"] = (NODE_KIND_HEAD, head)
        return {
            name: NodeData(kind=kind, type=kind, ip=ip, status=STATUS_UP_TO_DATE)
            for name, (kind, ip) in addresses.items()
        }

    def submit_scale_request(self, scale_request: ScaleRequest) -> None:
        """End those machines; start as many as are then missing."""
        number = scale_request.desired_num_workers.get(NODE_KIND_WORKER, 0)
        ended = sorted(scale_request.workers_to_delete)
        self._ask("/machines", {"number": number, "end": ended})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.provider_config["api"] + path, data=data)
        with _NO_PROXY.open(request, timeout=_ANSWER_S) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
        return answer
