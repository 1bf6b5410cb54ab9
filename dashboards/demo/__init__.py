"""The living demo: simulators, the sandbox ERP, the server, and a crew that works like people.

The crew knows nothing that a person at a screen would not: it uses the REST interface with the
accounts of its people, and puts weights on a simulated scale.
"""
