"""Nodes of one machine, by ``ray.cluster_utils.Cluster``, in a process with its own environment.

``python stand_in_nodes.py DASHBOARD_PORT AGENT_PORT`` starts a head without trials, then does what
each line of its input says, and answers ``done``. All ends with the input.
"""

import sys

from ray.cluster_utils import Cluster

ADD, LOSE, DONE = "add", "lose", "done"
_LOOPBACK = "127.0.0.1"


def main(dashboard_port: int, agent_port: int) -> None:
    """Until the input ends."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "num_gpus": 0,
            "include_dashboard": True,
            "dashboard_host": _LOOPBACK,
            "dashboard_port": dashboard_port,
            "dashboard_agent_listen_port": agent_port,
        },
    )
    _say(DONE)
    for line in sys.stdin:
        if line.strip() == ADD:
            cluster.add_node(num_cpus=2, num_gpus=2)
        else:
            (worker,) = cluster.worker_nodes
            cluster.remove_node(worker, allow_graceful=False)
        _say(DONE)
    cluster.shutdown()


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
