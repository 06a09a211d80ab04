"""Structured logs on standard error; never message text, never keys."""

import logging
import sys
from typing import Literal

import structlog
from structlog.types import Processor


def configure_logs(log_format: Literal["text", "json"], level: str) -> None:
    """Send our own and the libraries' log lines the same way."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        # never the rich tracebacks that are its default: they show the values of variables
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    handler.addFilter(_is_worth_a_line)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("memcubed").setLevel(level.upper())


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out what the queue says of a share's end, since production says it in a line of its own."""
    job = getattr(record, "job", None)
    is_share = isinstance(job, dict) and job.get("task_name") == "production.run_share"
    return not (is_share and str(getattr(record, "action", "")).startswith("job_"))
