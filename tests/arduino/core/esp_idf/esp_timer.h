#ifndef TEST_ESP_TIMER_H
#define TEST_ESP_TIMER_H
#include <stdint.h>
#ifdef __cplusplus
extern "C"
#endif
int64_t esp_timer_get_time(void);
#endif
