"""The messages of the filesystem broker."""

import multiprocessing
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu import Connection, Consumer, Message, Queue

from tests.waiting import wait_until
from triggers_api.service.broker import Transport

QUEUE = Queue("messages")


def connection(folder: Path) -> Connection:
    options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.001,
    }
    return Connection("filesystem://localhost", transport=Transport, transport_options=options)


def publish(folder: Path, numbers: range) -> None:
    with connection(folder) as publisher:
        producer = publisher.Producer()
        for number in numbers:
            producer.publish({"number": number, "text": "long" * 50_000}, routing_key=QUEUE.name, declare=[QUEUE])


def test_a_message_is_taken_whole_and_once_while_others_are_written(tmp_path: Path) -> None:
    received: list[int] = []

    def receive(body: dict[str, Any], message: Message) -> None:
        received.append(body["number"])
        message.ack()

    # Spawned, since this process has threads and connections that a fork must not share.
    context = multiprocessing.get_context("spawn")
    publishers = [context.Process(target=publish, args=(tmp_path, range(start, start + 200))) for start in (0, 200)]
    with connection(tmp_path) as first, connection(tmp_path) as second:
        consumers = [Consumer(each.channel(), [QUEUE], callbacks=[receive]) for each in (first, second)]
        for consumer in consumers:
            consumer.consume()
        for publisher in publishers:
            publisher.start()

        def drain(each: Any) -> None:
            with suppress(TimeoutError):
                each.drain_events(timeout=0.01)

        def all_received() -> bool:
            drain(first)
            drain(second)
            return len(received) >= 400

        wait_until(all_received, interval=0, message=lambda: f"400 messages, not {len(received)}")
    for publisher in publishers:
        publisher.join()
    assert sorted(received) == list(range(400))
    assert [number for number in received if number < 200] == list(range(200))
    assert list((tmp_path / "messages").iterdir()) == []
