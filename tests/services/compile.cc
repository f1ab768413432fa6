#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

extern "C" unsigned c_part(unsigned rounds);

template <int N> struct Chain {
	std::map<int, std::tuple<std::string, std::array<char, N + 1>>> map;
	Chain<N - 1> next;
	std::size_t fill()
	{
		for (int i = 0; i < 50; i++)
			map[i * N % 37] = {std::string(i, 'a' + N % 26), {}};
		return map.size() + next.fill();
	}
};
template <> struct Chain<0> {
	std::size_t fill()
	{
		return 0;
	}
};

struct Visitor {
	std::string operator()(int i) const
	{
		return "int " + std::to_string(i);
	}
	std::string operator()(const std::string &s) const
	{
		return "string " + s;
	}
	template <class T> std::string operator()(const std::vector<T> &v) const
	{
		return "vector " + std::to_string(v.size());
	}
};

int main()
{
	std::vector<std::variant<int, std::string, std::vector<double>>> things;
	for (int i = 0; i < 3000; i++)
		if (i % 3 == 0)
			things.emplace_back(i);
		else if (i % 3 == 1)
			things.emplace_back(std::string(i % 97, 's'));
		else
			things.emplace_back(std::vector<double>(i % 31));
	std::unordered_map<std::string, int> counts;
	for (auto &thing : things)
		counts[std::visit(Visitor{}, thing)]++;
	std::ostringstream text;
	for (auto &[key, count] : std::map<std::string, int>(counts.begin(), counts.end()))
		text << key << '=' << count << ';';
	std::size_t matches = 0;
	const std::string all = text.str();
	try {
		throw std::runtime_error(std::string(1000, 'e'));
	} catch (const std::exception &e) {
		matches += std::string(e.what()).size();
	}
	std::vector<std::function<int(int)>> functions;
	for (int i = 0; i < 100; i++)
		functions.push_back(
			[i, s = std::string(i, 'f')](int x) { return x + i + int(s.size()); });
	long sum = 0;
	for (auto &f : functions)
		sum += f(1);
	std::cout << all.size() << ' ' << matches << ' ' << sum << ' ' << Chain<8>().fill() << ' '
		  << c_part(100000) << '\n';
}
