import asyncio

from inferno_local.daemon import persist


async def test_work_goes_on_after_the_machine_refused_it_something() -> None:
    done, failures = asyncio.Event(), [OSError(28, "No space left on device"), OSError(11, "Try again")]

    async def work() -> None:
        if failures:
            raise failures.pop()
        done.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(persist(work, again_s=0))
    await asyncio.wait_for(done.wait(), 5)
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
