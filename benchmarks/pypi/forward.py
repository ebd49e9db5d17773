"""Forwards with a library from PyPI as the benchmarks want it: kubectl's arguments, kubectl's lines.

    forward.py portforward|kr8s --kubeconfig FILE pod/NAME :PORT...
"""

import asyncio
import functools
import signal
import sys


async def with_portforward(config, pod, ports, until_end):
    import portforward

    # `waiting` is a pause of the library's own before it says that it is ready.
    forwarders = [
        portforward.AsyncPortForwarder("default", pod, 0, port, config, waiting=0, log_level=portforward.LogLevel.OFF)
        for port in ports
    ]
    for forwarder, port in zip(forwarders, ports):
        await forwarder.forward()
        print(f"Forwarding from 127.0.0.1:{forwarder.from_port} -> {port}", flush=True)
    await until_end()


async def with_kr8s(config, pod, ports, until_end):
    import kr8s.asyncio
    from kr8s.asyncio.objects import Pod

    api = await kr8s.asyncio.api(kubeconfig=config)
    # It names no subprotocol, which Kubernetes takes for this one; our servers want it named.
    api.open_websocket = functools.partial(api.open_websocket, subprotocols=["v4.channel.k8s.io"])
    target = await Pod.get(pod, namespace="default", api=api)
    for port in ports:
        forward = target.portforward(port, local_port="auto")
        local = await forward.start()
        while not any(server.is_serving() for server in forward.servers):  # start() knows the port before it listens
            await asyncio.sleep(0.001)
        print(f"Forwarding from 127.0.0.1:{local} -> {port}", flush=True)
    await until_end()


async def main(library, config, target, ports):
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    forward = {"portforward": with_portforward, "kr8s": with_kr8s}[library]
    await forward(config, target.removeprefix("pod/"), ports, end.wait)


if __name__ == "__main__":
    if len(sys.argv) < 6 or sys.argv[2] != "--kubeconfig":
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[3], sys.argv[4], [int(port.lstrip(":")) for port in sys.argv[5:]]))
