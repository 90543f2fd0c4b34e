/* A wizard, /large wizard, with a field of every kind, each as large as it can be; its last page is
 * asked for while a toggle is on. What it saves is kept in memory, and every fifth time somebody
 * else was faster. Not for several threads. */
#ifndef TESTS_LARGE_WIZARD_H
#define TESTS_LARGE_WIZARD_H

#include "bronx/field.h"

#define LABEL_45 "A label that is as long as a label may be.45." /* of every field */
#define IDS_MAX  25                                              /* that a select gives */

extern const struct field large_fields[];
extern const struct command large_command;

int64_t large_wizard_revision(void); /* 0: nothing was saved yet */

#endif
