#ifndef TEST_ESP_CRT_BUNDLE_H
#define TEST_ESP_CRT_BUNDLE_H
#ifdef __cplusplus
extern "C"
#endif
int esp_crt_bundle_attach(void *conf);
#endif
