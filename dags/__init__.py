"""The Airflow Dags. Each task is one call into `pipelines`."""
