"""Dynamics 365 Supply Chain Management: messages of its MES integration out, journals in by OData.

`fields` is what fits, `mapping` is pure, `adapter` owns the calls. Dynamics' words end here.
"""
