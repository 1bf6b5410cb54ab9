"""The batch: `events` it is made of, `state` folded from them, `flow` between steps, `steps`."""
