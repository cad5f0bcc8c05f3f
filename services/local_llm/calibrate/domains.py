"""Plain sentences in the style of profiles, one handful per kind of shop: the reference centres.

Written by hand and from no dataset. They let a score mean the same in shops that no rated pair
comes from; the one shop with rated pairs adds the mean of its own texts.
"""

DOMAINS = [
    "novels and other books",
    "restaurants and cafés",
    "films",
    "television series",
    "music albums",
    "video games",
    "board games",
    "mobile apps",
    "online courses",
    "podcasts",
    "recipes and home cooking",
    "wines",
    "beers",
    "coffee and tea",
    "hotels and places to stay",
    "holiday trips and tours",
    "museums and galleries",
    "hair and beauty salons",
    "make-up and skin care",
    "clothes and fashion",
    "shoes",
    "jewellery and watches",
    "furniture and home decoration",
    "kitchen appliances",
    "garden plants and tools",
    "hand tools and hardware",
    "cars, car parts and garages",
    "bicycles",
    "sports equipment",
    "gyms and fitness classes",
    "camping and hiking gear",
    "toys for children",
    "baby products",
    "pet food and pet supplies",
    "office supplies",
    "computers and electronics",
    "mobile phones",
    "cameras and photography",
    "musical instruments",
    "paintings and prints",
    "sewing, knitting and crafts",
    "groceries and snacks",
    "vitamins and health products",
    "doctors and clinics",
    "news articles",
    "scientific papers",
    "jobs and vacancies",
    "houses and flats to rent",
    "concerts and live events",
    "shops and local services",
    "bars and night life",
    "theatre and comedy",
    "comics and manga",
    "magazines",
    "textbooks",
    "software for companies",
    "insurance and banking",
    "charities and volunteering",
    "repair and cleaning services",
    "perfume",
]

USER_FRAMES = (
    "This user enjoys {}.",
    "The user likes {} and often chooses them.",
    "I am interested in {}.",
    "A customer who buys {} and cares about their quality.",
    "Someone who likes well made {} with character.",
)
ITEM_FRAMES = (
    "Fans of {} will enjoy this.",
    "People who like {} would appreciate this one.",
    "One of our most popular choices among {}.",
    "{}: well made, with character.",
    "An addition for those who are interested in {}.",
)


def sentences(frames: tuple[str, ...]) -> list[str]:
    """Return every domain in every frame, a domain's frames side by side."""
    return [frame.format(domain) for domain in DOMAINS for frame in frames]
