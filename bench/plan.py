"""What a session is about to do, in one line."""

from bench.session import Session


def plan(session: Session, cases: int) -> str:
    """How many cases, how long they take, and what is read."""
    times = session.seconds_per_case()
    each, minutes = (
        " to ".join(dict.fromkeys(texts))
        for texts in (
            [f"{seconds:.0f}" for seconds in times],
            [f"{cases * seconds / 60:.1f}" for seconds in times],
        )
    )
    summed = session.instruments.summed
    total = " + ".join(channel.id for channel in summed)
    kind = f" ({summed[0].kind})" if summed else ""
    how = "as sure as it takes, training not counted"
    if number := session.settings.processes:
        how = f"each side in {number} fresh processes, their start not counted"
    return (
        f"{cases} cases × {each} s ≈ {minutes} min, {how};"
        f" profile {session.settings.profile}; energy: {total or 'not measured'}{kind}"
    )
