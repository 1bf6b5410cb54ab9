"""NetSuite over its REST record service and SuiteQL: work order issues and completions out.

`fields` is what fits, `mapping` is pure, `queries` are the questions in SuiteQL, `login` signs for
a token, `adapter` owns the calls. NetSuite's words end here.
"""
