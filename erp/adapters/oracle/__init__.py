"""Oracle Fusion Cloud Manufacturing: transactions of discrete work orders, read back from stock.

`fields` is what fits, `mapping` is pure, `service` reads pages, `adapter` owns the rest. Oracle's
words end here.
"""
