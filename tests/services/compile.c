#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Many functions of one shape, so that the compiler has something to do. */
#define F1(n)                                                    \
	static unsigned work##n(unsigned x)                      \
	{                                                        \
		unsigned table[16], sum = n;                     \
		for (unsigned i = 0; i < 16; i++)                \
			table[i] = x * (i + n) ^ (x >> (i % 7)); \
		for (unsigned i = 0; i < 64; i++) {              \
			switch ((x + i) % 5) {                   \
			case 0:                                  \
				sum += table[i % 16];            \
				break;                           \
			case 1:                                  \
				sum ^= table[(i * 3) % 16] << 1; \
				break;                           \
			case 2:                                  \
				sum -= n;                        \
				break;                           \
			default:                                 \
				sum = sum * 31 + i;              \
			}                                        \
		}                                                \
		return sum;                                      \
	}
#define F10(n) \
	F1(n##0) F1(n##1) F1(n##2) F1(n##3) F1(n##4) F1(n##5) F1(n##6) F1(n##7) F1(n##8) F1(n##9)
#define C1(n) work##n,
#define C10(n) \
	C1(n##0) C1(n##1) C1(n##2) C1(n##3) C1(n##4) C1(n##5) C1(n##6) C1(n##7) C1(n##8) C1(n##9)
F10(1)
F10(2) F10(3) F10(4) F10(5) F10(6) F10(7) F10(8)
	F10(9) static unsigned (*const functions[])(unsigned) = {
		C10(1) C10(2) C10(3) C10(4) C10(5) C10(6) C10(7) C10(8) C10(9)};

unsigned c_part(unsigned rounds)
{
	unsigned sum = 1;
	for (unsigned i = 0; i < rounds; i++)
		sum = functions[i % (sizeof functions / sizeof *functions)](sum + i);
	return sum;
}
