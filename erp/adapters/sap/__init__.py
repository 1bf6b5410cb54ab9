"""SAP S/4HANA over OData V2: material documents out, orders, BOMs, products and books in.

`fields` is what fits, `mapping` is pure, `adapter` owns the calls. SAP's words end here.
"""
