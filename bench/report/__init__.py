"""From a comparison to a page: pure functions of journals."""
