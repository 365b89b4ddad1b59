"""What ``joulebench run`` takes: one file for each kind of spec, found by `bench.discover`.

Each defines ``load(what, wish) -> Own``, or a `bench.suite.Suite`; *what* follows the colon.
"""
