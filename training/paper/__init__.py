"""The reproduction of CTL-MTNet's tables (Wen et al., IJCAI 2022), and of EmoBox's."""
