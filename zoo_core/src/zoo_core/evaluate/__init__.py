"""Measuring translations: metrics behind a hook, judges trained on real data, reports and pages.

Importing this package imports no torch; its modules do. `zoo_core.evaluate.run.evaluate_model`
measures a model, `zoo_core.evaluate.metrics.Metric` is what a metric derives from.
"""
