"""Measuring translations: metrics behind a hook, judges trained on real data, reports and pages.

Importing this package imports no torch; its modules do. `zoo_evaluate.run.evaluate_model`
measures a model, `zoo_evaluate.metrics.Metric` is what a metric derives from.
"""
