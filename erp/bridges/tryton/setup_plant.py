# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a plant's items, bills of material, lots and orders into an empty Tryton database.

    setup_plant.py TRYTOND_CONF DATABASE SEED_JSON OUT_JSON

SEED_JSON has `items`, `boms`, `orders`, `customers` and `lots`, as a plant pack's `erp.json`, and
the plant's `zone`. The keys for REST are written to OUT_JSON, which only its owner can read.
"""

import datetime
import json
import os
import sys
from decimal import Decimal
from pathlib import Path

from proteus import Model, config
from trytond import config as settings
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
from trytond.modules.account_stock_continental.tests.tools import add_stock_accounts
from trytond.modules.company.tests.tools import create_company, get_company
from trytond.pool import Pool

UNITS = {"KGM": "kg", "GRM": "g", "LTR": "l", "C62": "u"}
DIGITS = 4  # a kilogram to the tenth of a gram: finer than any scale of the plant
GROUPS = ("Manufacturing execution",)  # the bridge asks for no other


def company_and_books(zone):
    """Make company, chart, this year and the last with their months, and the stock accounts.

    The company's day turns where the plant's does; else its postings after midnight would be of
    tomorrow, which Tryton refuses.
    """
    create_company()
    company = get_company()
    company.timezone = zone
    company.save()
    create_chart()
    today = datetime.date.today()
    for number in (today.year - 1, today.year):
        first, last = datetime.date(number, 1, 1), datetime.date(number, 12, 31)
        year = create_fiscalyear(today=(first, last))
        year.start_date, year.end_date = first, last
        year.account_stock_method = "continental"
        year.save()
        year.click("create_period")
    accounts = add_stock_accounts(get_accounts())
    stock, incoming = accounts["stock"], accounts["stock_expense"]
    [outgoing] = incoming.duplicate()
    Category = Model.get("product.category")
    category = Category(name="Plant", accounting=True)
    category.account_expense = accounts["expense"]
    category.account_revenue = accounts["revenue"]
    category.account_stock = stock
    category.account_stock_in = incoming
    category.account_stock_out = outgoing
    category.save()
    return category


def units():
    """Return Tryton's units by their UN/ECE code, the kilogram kept to the tenth of a gram."""
    Uom = Model.get("product.uom")
    found = {}
    for code, symbol in UNITS.items():
        uom = Uom.find([("symbol", "=", symbol)], limit=1)
        if not uom:
            continue
        [found[code]] = uom
        if code == "KGM":
            found[code].digits, found[code].rounding = DIGITS, 10**-DIGITS
            found[code].save()
    return found


def products(data, category, uoms):
    """Make every item as a product kept by lot, its cost first in first out."""
    Template = Model.get("product.template")
    made = {one["product"] for one in data["boms"]}
    found = {}
    for item in data["items"]:
        template = Template(name=item["name"], type="goods")
        template.default_uom = uoms[item["unit"]]
        template.list_price = Decimal(0)
        template.cost_price_method = "fifo"
        template.account_category = category
        template.producible = item["code"] in made
        template.lot_required = ["supplier", "customer", "lost_found", "storage", "production"]
        [product] = template.products
        product.suffix_code = item["code"]
        product.cost_price = Decimal(str(item["standard_cost"]))
        template.save()
        [found[item["code"]]] = template.products
    return found


def boms(data, found, uoms):
    """Make the bills of material and give them to their products."""
    Bom, ProductBom = Model.get("production.bom"), Model.get("product.product-production.bom")
    for one in data["boms"]:
        bom = Bom(name=one["product"])
        for line in one["lines"]:
            part = bom.inputs.new()
            part.product = found[line["item"]]
            part.quantity, part.unit = float(line["quantity"]), uoms[line["unit"]]
        output = bom.outputs.new()
        output.product = found[one["product"]]
        output.quantity, output.unit = float(one["quantity"]), uoms[one["unit"]]
        bom.save()
        product = found[one["product"]]
        product.boms.append(ProductBom(bom=bom))
        product.save()


def stock(data, found, uoms):
    """Receive every lot from a supplier at the item's price, so that stock has a cost."""
    Move, Lot = Model.get("stock.move"), Model.get("stock.lot")
    Location = Model.get("stock.location")
    [supplier] = Location.find([("type", "=", "supplier")], limit=1)
    [storage] = Location.find([("code", "=", "STO")], limit=1)
    prices = {one["code"]: Decimal(str(one["standard_cost"])) for one in data["items"]}
    Currency = Model.get("currency.currency")
    [currency] = Currency.find([("code", "=", "USD")], limit=1)
    moves = []
    for one in data["lots"]:
        product = found[one["item"]]
        lot = Lot(number=one["lot"], product=product)
        lot.save()
        move = Move(product=product)
        move.from_location, move.to_location = supplier, storage
        move.quantity, move.unit = float(one["quantity"]), uoms[one["unit"]]
        move.unit_price, move.currency = prices[one["item"]], currency
        move.lot = lot
        move.save()
        moves.append(move)
    Move.click(moves, "do")


def orders(data, found, uoms):
    """Make the production orders under the numbers that the seed gives, and release them."""
    Production, Sequence = Model.get("production"), Model.get("ir.sequence")
    [numbers] = Sequence.find([("sequence_type.name", "=", "Production")], limit=1)
    following = None
    for one in data["orders"]:
        if int(one["id"]) != following:
            numbers.number_next = int(one["id"])
            numbers.save()
        following = int(one["id"]) + 1
        production = Production(product=found[one["product"]])
        production.bom = found[one["product"]].boms[0].bom
        production.quantity, production.unit = float(one["quantity"]), uoms[one["unit"]]
        due = one.get("due_at")
        if due:
            production.planned_date = datetime.date.fromisoformat(due[:10])
        production.save()
        production.click("wait")


def customers(data):
    """Make the customers."""
    Party = Model.get("party.party")
    for one in data["customers"]:
        Party(name=one["name"], code=one["code"]).save()


def user_keys():
    """Make the user of the MES with its groups; return keys for REST, its own and the admin's.

    The administrator keeps stock and books as well: this company has nobody else.
    """
    User, Group = Model.get("res.user"), Model.get("res.group")
    Company = Model.get("company.company")
    Application = Model.get("res.user.application")
    [company] = Company.find([], limit=1)
    user = User(name="Manufacturing execution", login="mes")
    user.companies.append(Company(company.id))
    user.company = company
    for name in GROUPS:
        for group in Group.find([("name", "=", name)], limit=1):
            user.groups.append(group)
    user.save()
    [admin] = User.find([("login", "=", "admin")])
    kept = {one.id for one in admin.groups}
    admin.groups.extend(one for one in Group.find([]) if one.id not in kept)
    admin.save()
    keys = {}
    for name, owner in (("key", user), ("admin_key", admin)):
        application = Application(user=owner, application="rest", state="validated")
        application.save()
        keys[name] = application.key
    return keys


def main(conf, database, seed, out):
    """Activate the bridge, set the database up and write what was made."""
    settings.update_etc(conf)
    Pool.start()
    Pool(database).init(update=["mes_bridge"], activatedeps=True)
    config.set_trytond(database, config_file=conf)
    data = json.loads(Path(seed).read_text("utf-8"), parse_float=Decimal)
    category = company_and_books(data.get("zone"))
    uoms = units()
    found = products(data, category, uoms)
    boms(data, found, uoms)
    stock(data, found, uoms)
    orders(data, found, uoms)
    customers(data)
    target = Path(out)
    target.touch(mode=0o600)
    os.chmod(target, 0o600)
    target.write_text(json.dumps(user_keys()))


if __name__ == "__main__":
    main(*sys.argv[1:5])
