"""The messages that move material: what an ERP without our order and batch words can be told."""

CONSUMED, RETURNED = "mes.material_consumed.v1", "mes.material_returned.v1"
SCRAPPED, PRODUCED = "mes.scrap_recorded.v1", "mes.finished_goods_produced.v1"
REVERSED = "mes.posting_reversed.v1"
MATERIAL = frozenset({CONSUMED, RETURNED, SCRAPPED, PRODUCED, REVERSED})
# what leaves stock is negative in most ERPs' stock journals
SIGNS = {"issue": -1, "return": 1, "scrap": -1, "receipt": 1}
