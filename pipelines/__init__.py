"""Callgrade's pipeline: the steps, the `callgrade` command, the warehouse and the web application."""

import logging

from pipelines.core.printable import PrintableMessages

# Every module logs here, in every process: names from outside are escaped before any handler, including Airflow's, sees a message.
logging.getLogger("callgrade").addFilter(PrintableMessages())
