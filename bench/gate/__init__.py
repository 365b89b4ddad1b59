"""The gate: did a revision become dearer? Two ways: both revisions in one job, or history alone.

Pure: `answer` has the words and values, `decide` the rule. Shell: `checkout` and `night` start the
processes of both revisions.
"""
