"""What a session is about to do, in one line."""

from collections.abc import Sequence

from bench.session import Session


def plan(session: Session, pairs: Sequence[int | None]) -> str:
    """How many cases, how long they take, and what is read.

    Args:
        session: The open session.
        pairs: For each case, how many pairs of blocks its test asks for, or None.
    """
    times = [session.seconds_per_case(each) for each in pairs]
    least, most = zip(*times, strict=True)
    each, minutes = (
        " to ".join(dict.fromkeys(texts))
        for texts in (
            [f"{seconds:.0f}" for seconds in (min(least), max(most))],
            [f"{seconds / 60:.1f}" for seconds in (sum(least), sum(most))],
        )
    )
    summed = session.instruments.summed
    total = " + ".join(channel.id for channel in summed)
    kind = f" ({summed[0].kind})" if summed else ""
    how = "as sure as it takes, training not counted"
    if number := session.settings.processes:
        how = f"each side in {number} fresh processes, their start not counted"
    return (
        f"{len(pairs)} cases × {each} s ≈ {minutes} min, {how};"
        f" profile {session.settings.profile}; energy: {total or 'not measured'}{kind}"
    )
