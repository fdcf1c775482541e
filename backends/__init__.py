"""How to speak to one kind of model server, and the plain types that describe a route."""
