"""From a suite and a live route to samples and scorecards: asking through the gateway, judging as answers come."""
