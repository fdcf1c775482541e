"""From a request to the routes to try: traits, policy, evidence, mirrors."""
