"""Plant notebooks on screen: words, numbers and charts with their proof. Imports analytics.books."""
