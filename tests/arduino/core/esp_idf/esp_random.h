/* Declared for this test alone, after ESP-IDF's documentation, and made to work on this machine by host.c. */
#ifndef TEST_ESP_RANDOM_H
#define TEST_ESP_RANDOM_H
#include <stddef.h>
#ifdef __cplusplus
extern "C"
#endif
void esp_fill_random(void *bytes, size_t size);
#endif
