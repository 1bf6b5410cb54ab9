"""One module per ERP, each behind `erp.port.ErpAdapter`; an ERP's words stay in its module."""
