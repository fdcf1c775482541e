"""The scale: suites, languages, sandbox, verdicts, statistics, scorecards."""
