"""The office: the boundary policy, the link to the ERP, the keys that sign."""
