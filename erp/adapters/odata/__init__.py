"""ERPs whose OData V4 service the customer models: IFS Cloud's projections, Infor LN's models.

Their makers publish how a service is reached and logged in to, and no ready one whose fields we
could read. The customer's people model one after the contract in `fields`; `reached` says where
it is.
"""
