/* The texts of the terms, built in from Markdown files. */
#ifndef SERVICES_TERMS_H
#define SERVICES_TERMS_H

#include "bronx/tos.h"

/* Oldest first, ended by version == NULL. Made at build time by embed_terms.py. */
extern const struct tos_version tos_versions[];

#endif
