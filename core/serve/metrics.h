/*
 * The metrics, as Prometheus reads them (text exposition format 0.0.4).
 */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "base/buffer.h"
#include "serve/service.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(struct service *service, struct buffer *out);

#endif
