"""The plant as data: settings, plant packs, profiles, the boundary policy.

May import core, whose units and nouns a plant file is checked against. Everybody above reads the
plant from here, so a setting has one name, one check and one place.
"""
